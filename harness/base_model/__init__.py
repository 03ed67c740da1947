"""The base model: pretrained here, or taken from a folder or the hub."""
