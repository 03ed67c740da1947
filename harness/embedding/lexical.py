"""An embedding without a model: which letter trigrams a text has."""

import numpy as np

COMPONENTS, OVERSAMPLED, POWER_ITERATIONS = 256, 10, 5


def lexical(texts: list[str]) -> tuple[np.ndarray, float]:
    """Latent semantic analysis of the texts' letter trigrams, and its FLOPs.

    TF-IDF of trigrams within words (logarithmic counts), projected on the 256 first singular
    vectors of the pool by a randomised SVD of a fixed seed (Halko et al. 2011, arXiv 0909.4061).
    Letters rather than words, so that a text of rare words has a vector, too. Returns (n, d)
    float32, d smaller where the pool has fewer texts or trigrams.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    counted = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), sublinear_tf=True)
    table = counted.fit_transform(texts)
    rows, trigrams = table.shape
    size = min(COMPONENTS, rows, trigrams)
    svd = TruncatedSVD(size, n_iter=POWER_ITERATIONS, n_oversamples=OVERSAMPLED, random_state=0)
    vectors = svd.fit_transform(table)
    # The table, or its transpose, is multiplied by so many vectors each time; what is between
    # these products works on thin matrices.
    width, passes = size + OVERSAMPLED, 2 * POWER_ITERATIONS + 2
    spent = passes * (2.0 * table.nnz * width + 2.0 * (rows + trigrams) * width**2)
    return vectors.astype(np.float32), spent
