"""What is measured: each of ours beside its peers, the check that they agree, and the goal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from benchmarks import agreement, peers
from benchmarks.pools import POOLS
from harness.clustering.kmeans import kmeans
from harness.clustering.silhouette import silhouette_cosine
from harness.describing.measures import vendi_score
from harness.samplers import SAMPLERS, Pool
from harness.samplers.pool import check_clusters, check_quality
from harness.samplers.shares import share_out

SEED = 0
THRESHOLD = 0.9  # deita's
LIMIT = 1.5  # GB that any sampler may need beside the embeddings


@dataclass(frozen=True)
class Sizes:
    """How much is selected from how much."""

    rows: int = 50_000
    width: int = 384
    picks: int = 2_500
    clusters: int = 512
    pairs: int = 10_000  # rows, where a peer holds all pairs
    pair_picks: int = 500


@dataclass(frozen=True)
class Peer:
    """Another that does the same work.

    Attributes:
        name: as the table says it.
        call: does it.
        agree: from our result and theirs, how far they agree in words, and whether that is enough.
        faster: the ratio to reach, or None.
        rounds: how often both are run, in turn.
    """

    name: str
    call: Callable[[], Any]
    agree: Callable[[Any, Any], tuple[str, bool]]
    faster: float | None = None
    rounds: int = 3


@dataclass(frozen=True)
class Case:
    """One of ours.

    Attributes:
        name: a sampler's, or what it is.
        size: of what, in words.
        call: does it.
        limit: seconds to stay under, or None.
        peers: those it is measured beside; with none, ``memory`` is all that is measured.
        memory: what ``timing.alone`` runs, or None.
    """

    name: str
    size: str
    call: Callable[[], Any]
    limit: float | None = None
    peers: list[Peer] = field(default_factory=list)
    memory: tuple[Callable[..., Callable[[], Any]], *tuple[Any, ...]] | None = None


def make_pool(kind: str, rows: int, sizes: Sizes) -> Pool:
    """Embeddings, a quality drawn by seed, and as clusters the nearest of some of the rows."""
    x = POOLS[kind](rows, sizes.width, SEED)
    rng = np.random.default_rng(SEED)
    centroids = x[rng.choice(rows, min(sizes.clusters, rows // 2), replace=False)]
    blocks = [x[i : i + 4096] @ centroids.T for i in range(0, rows, 4096)]
    labels = np.concatenate([b.argmax(axis=1) for b in blocks]).astype(np.int64)
    return Pool(x, rng.random(rows), (labels, centroids))


def sample(name: str, pool: Pool, picks: int, **knobs: object) -> np.ndarray:
    """A sampler's picks, always of the same generator."""
    return SAMPLERS[name](pool, picks, np.random.default_rng(SEED), **knobs)


def sampling(name: str, kind: str, sizes: Sizes) -> Callable[[], np.ndarray]:
    """The call of a sampler on a pool made here, warmed up (compiled) on a small one."""
    sample(name, make_pool(kind, 300, sizes), 10)
    return partial(sample, name, make_pool(kind, sizes.rows, sizes), sizes.picks)


def _sampler(name: str, kind: str, sizes: Sizes, pool: Pool, **more: Any) -> Case:  # noqa: ANN401
    return Case(
        name,
        f"{sizes.rows:,} x {sizes.width}, {sizes.picks:,} picks, {kind}",
        partial(sample, name, pool, sizes.picks),
        memory=(sampling, name, kind, sizes),
        **more,
    )


def _k_center(sizes: Sizes) -> Iterator[Case]:
    for kind in POOLS:
        pool = make_pool(kind, sizes.rows, sizes)
        x = pool.embeddings
        call = partial(peers.naive_k_center, x, sizes.picks)
        agree = partial(agreement.same_greedy, x)
        peer = Peer("NumPy, greedy loop", call, agree, faster=3)
        yield _sampler("k_center", kind, sizes, pool, peers=[peer])


def _qdit(sizes: Sizes) -> Iterator[Case]:
    x = POOLS["separated"](sizes.pairs, sizes.width, SEED)
    yield Case(
        "qdit",
        f"{sizes.pairs:,} x {sizes.width}, {sizes.pair_picks:,} picks, separated, no quality",
        partial(sample, "qdit", Pool(x), sizes.pair_picks, quality_weight=0.0),
        peers=[
            Peer(
                "apricot-select, lazy greedy",
                partial(peers.apricot_facility_location, x, sizes.pair_picks),
                partial(agreement.same_objective, x),
                faster=4,
            )
        ],
    )
    for kind in POOLS:
        pool = make_pool(kind, sizes.rows, sizes)
        yield _sampler("qdit", kind, sizes, pool, limit=180)


def _deita(sizes: Sizes) -> Iterator[Case]:
    for kind in POOLS:
        pool = make_pool(kind, sizes.rows, sizes)
        x, quality = pool.embeddings, check_quality(pool)
        call = partial(peers.naive_deita, x, quality, sizes.picks, THRESHOLD)
        peer = Peer("NumPy, row by row", call, agreement.same_picks)
        yield _sampler("deita", kind, sizes, pool, limit=5, peers=[peer])


def _by_cluster(name: str, sizes: Sizes) -> Iterator[Case]:
    pool = make_pool("separated", sizes.rows, sizes)
    others = []
    if name == "kmq":
        labels = check_clusters(pool)[0]
        shares = share_out(pool, sizes.picks, "proportional", 0)[1]
        quality, rng = check_quality(pool), np.random.default_rng(SEED)
        call = partial(peers.naive_kmq, labels, quality, shares, rng)
        others.append(Peer("NumPy, choice with p", call, partial(agreement.same_shares, labels)))
    yield _sampler(name, "separated", sizes, pool, limit=1, peers=others)


def _top_k(sizes: Sizes) -> Iterator[Case]:
    yield _sampler("top_k", "separated", sizes, make_pool("separated", sizes.rows, sizes))


def _kmeans(sizes: Sizes) -> Iterator[Case]:
    for kind in POOLS:
        x, k = POOLS[kind](sizes.rows, sizes.width, SEED), sizes.clusters
        # Of few rows and clusters, one start ends a few percent above or below another.
        inertia = partial(agreement.same_inertia, x, 0.01 if sizes == Sizes() else 0.05)
        yield Case(
            "k-means (with its silhouette)",
            f"{sizes.rows:,} x {sizes.width}, k = {k}, {kind}",
            lambda x=x, k=k: kmeans(x, k, SEED).labels,
            peers=[
                Peer(
                    "scikit-learn, k-means++, n_init 1",
                    partial(peers.sklearn_kmeans, x, k, SEED),
                    inertia,
                    faster=10,
                ),
                Peer("faiss, 25 rounds", partial(peers.faiss_kmeans, x, k, SEED), inertia),
            ],
        )


def _silhouette(sizes: Sizes) -> Iterator[Case]:
    pool = make_pool("separated", sizes.rows, sizes)
    x, labels = pool.embeddings, check_clusters(pool)[0]
    call = partial(peers.sklearn_silhouette, x, labels)
    yield Case(
        "silhouette (cosine)",
        f"{sizes.rows:,} x {sizes.width}, k = {sizes.clusters}",
        partial(silhouette_cosine, x, labels),
        peers=[Peer("scikit-learn", call, agreement.same_number, faster=50)],
    )


def _vendi(sizes: Sizes) -> Iterator[Case]:
    x = POOLS["separated"](sizes.pairs, sizes.width, SEED)
    same = agreement.same_number
    yield Case(
        "Vendi score",
        f"{sizes.pairs:,} x {sizes.width}",
        partial(vendi_score, x),
        peers=[
            Peer("vendi-score, n x n", partial(peers.vendi_package, x), same, 100, rounds=1),
            Peer("vendi-score, d x d", partial(peers.vendi_package_dual, x), same),
        ],
    )


CASES: dict[str, Callable[[Sizes], Iterator[Case]]] = {
    "k_center": _k_center,
    "qdit": _qdit,
    "deita": _deita,
    "kmq": partial(_by_cluster, "kmq"),
    "km_closest": partial(_by_cluster, "km_closest"),
    "km_random": partial(_by_cluster, "km_random"),
    "top_k": _top_k,
    "kmeans": _kmeans,
    "silhouette": _silhouette,
    "vendi": _vendi,
}
