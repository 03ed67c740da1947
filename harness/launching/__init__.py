"""Work on a model that several processes share, one a device."""
