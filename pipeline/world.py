"""Make what every row reads in another generated world."""

from pipeline import (
    base_model,
    choose_k,
    cluster,
    cost,
    cost_shared,
    embed,
    prepare,
    reward_model,
    score,
)
from pipeline.stage import main
from pipeline.world_folder import inside_world


def run(world: str) -> None:
    """Make what every row reads in another generated world."""
    with inside_world(world) as params:
        prepare.run()
        base_model.run("")
        for name in ("", *params.reward_models):
            reward_model.run(name)
        score.run()
        for embedding in params.every_embedding:
            embed.run(embedding)
            for k in params.cluster.k:
                cluster.run(embedding, str(k))
            choose_k.run(embedding)
        for unit in ("rows", "tokens"):
            cost.run(unit)
        cost_shared.run()


if __name__ == "__main__":
    main(run, ("world", "one of params.yaml: worlds"))
