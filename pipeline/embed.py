"""Embed the pool's texts as unit vectors."""

from harness.params.params import load_params
from pipeline.code import code_hash
from pipeline.stage import entry, main


def run(name: str) -> None:
    """Embed the pool's texts as unit vectors."""
    from harness.embedding.write import write_embedding

    item = entry(load_params().every_embedding, name, "embeddings", "embedding")
    write_embedding(name, item, code_hash("embed"))


if __name__ == "__main__":
    main(run, ("name", "one of params.yaml: embeddings, embeddings_states"))
