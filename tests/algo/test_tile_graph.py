import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.algo.normal_equations import solve_entries
from gateway.algo.tile_graph import find_bridges, find_groups

graphs = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(
            st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] != e[1]),
            max_size=14,
            unique_by=lambda e: tuple(sorted(e)),
        ),
    )
)


def edges(pairs):
    return np.asarray(pairs, np.int64).reshape(-1, 2)


@settings(deadline=None)
@given(graphs)
def test_a_bridge_is_a_pair_without_which_its_tiles_fall_apart(graph):
    tiles, pairs = graph
    bridges = find_bridges(tiles, edges(pairs))
    for row, (first, second) in enumerate(pairs):
        rest = find_groups(tiles, edges(pairs[:row] + pairs[row + 1 :]))
        assert bridges[row] == (rest[first] != rest[second])


@settings(deadline=None)
@given(graphs)
def test_linked_tiles_share_a_group_and_groups_count_from_zero(graph):
    tiles, pairs = graph
    groups = find_groups(tiles, edges(pairs))
    assert all(groups[a] == groups[b] for a, b in pairs)
    assert set(groups.tolist()) == set(range(groups.max() + 1))
    assert len(set(groups.tolist())) >= tiles - len(pairs)


def test_large_and_small_systems_are_solved_alike():
    for size in (5, 900):
        rows = np.concatenate([np.arange(size), np.arange(size - 1), np.arange(1, size)])
        columns = np.concatenate([np.arange(size), np.arange(1, size), np.arange(size - 1)])
        values = np.concatenate([np.full(size, 3.0), np.full(2 * size - 2, -1.0)])
        known = np.linspace(-1, 1, size)
        matrix = np.zeros((size, size))
        matrix[rows, columns] = values
        assert np.allclose(solve_entries(rows, columns, values, matrix @ known), known)
