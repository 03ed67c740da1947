"""A study of clusterings: whether a better silhouette means a better subset."""
