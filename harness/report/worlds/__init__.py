"""How rows differ over generated worlds: means, a world not seen, and what is the world's."""
