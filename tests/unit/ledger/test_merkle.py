"""RFC 6962 §2.1: the reference vectors, every tree up to 64 leaves, and what holds of any."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.ledger.errors import BadProof
from kiosk.ledger.merkle import (
    EMPTY_ROOT,
    STRIDE,
    Frontier,
    Subtree,
    check_consistency,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
    peaks_of,
    root_at,
    root_from_inclusion,
)
from tests.attack.logs import Leaves

# The tree of the Certificate Transparency project's tests: eight leaves, the root at each size, and proofs.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
#: By (index, size).
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
#: By (old size, new size).
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
VECTORS = Leaves([leaf_hash(entry) for entry in ENTRIES])
LARGEST = 64
LEAVES = [leaf_hash(b"%d" % number) for number in range(LARGEST)]
TREE = Leaves(LEAVES)
HASHES = st.binary(min_size=32, max_size=32)


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word: k is the largest power of two smaller than n."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = max(2**power for power in range(len(leaves)) if 2**power < len(leaves))
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


NAIVE = [mth(LEAVES[:size]) for size in range(LARGEST + 1)]


def grown(leaves: Sequence[bytes]) -> Frontier:
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    try:
        check_consistency(old, old_root, new, new_root, path)
    except BadProof:
        return False
    return True


def leads_to(root: bytes, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    try:
        return root_from_inclusion(leaf, index, size, path) == root
    except BadProof:
        return False


# ---- the vectors


def test_the_reference_tree_has_the_reference_roots() -> None:
    assert [root_at(size, VECTORS).hex() for size in range(9)] == ROOTS
    assert [grown(VECTORS.leaves[:size]).root().hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_the_reference_tree_has_the_reference_paths(index: int, size: int) -> None:
    path = inclusion_proof(index, size, VECTORS)
    assert [hash_.hex() for hash_ in path] == PATHS[index, size]
    assert root_from_inclusion(VECTORS.leaves[index], index, size, path).hex() == ROOTS[size]


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_the_reference_tree_has_the_reference_consistency_proofs(old: int, new: int) -> None:
    path = consistency_proof(old, new, VECTORS)
    assert [hash_.hex() for hash_ in path] == CONSISTENCY[old, new]
    check_consistency(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), path)


# ---- every tree up to 64 leaves


def test_a_tree_that_grows_always_has_the_root_of_the_definition() -> None:
    tree = Frontier()
    for size in range(LARGEST):
        assert tree.root() == NAIVE[size] == root_at(size, TREE)
        tree.append(LEAVES[size])
    assert tree.root() == NAIVE[LARGEST]


def test_every_leaf_of_every_tree_is_proven_and_nothing_else_is() -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            path = inclusion_proof(index, size, TREE)
            assert root_from_inclusion(LEAVES[index], index, size, path) == NAIVE[size]
            taken = [at for at in range(-2, size + 3) if leads_to(NAIVE[size], LEAVES[index], at, size, path)]
            assert taken == [index]


def test_every_tree_is_proven_to_continue_every_smaller_one_and_no_other() -> None:
    for new in range(LARGEST + 1):
        for old in range(new + 1):
            path = consistency_proof(old, new, TREE)
            check_consistency(old, NAIVE[old], new, NAIVE[new], path)
            taken = [size for size in range(new + 1) if is_consistent(old, NAIVE[size], new, NAIVE[new], path)]
            assert taken == [old]


def test_a_proof_is_never_longer_than_the_tree_is_high() -> None:
    for size in range(1, LARGEST + 1):
        height = (size - 1).bit_length()
        assert max(len(inclusion_proof(index, size, TREE)) for index in range(size)) == height
        assert max(len(consistency_proof(old, size, TREE)) for old in range(size)) <= height + 1


def test_the_stored_subtrees_are_those_of_16_and_256_leaves_and_so_on_each_once() -> None:
    tree, found = Frontier(), list[Subtree]()
    for number in range(600):
        found += tree.append(leaf_hash(b"%d" % number))
    leaves = Leaves([leaf_hash(b"%d" % number) for number in range(600)])
    expected = {(STRIDE, number) for number in range(600 // 16)} | {
        (2 * STRIDE, number) for number in range(600 // 256)
    }
    assert {(one.level, one.number) for one in found} == expected
    assert len(found) == len(expected)
    assert all(one.hash == leaves.hash_of(one.level, one.number) for one in found)


def test_the_peaks_of_a_tree_cover_its_leaves_from_left_to_right() -> None:
    for size in range(LARGEST + 1):
        covered = [range(number << level, (number + 1) << level) for level, number in peaks_of(size)]
        assert [leaf for leaves in covered for leaf in leaves] == list(range(size))
        assert sorted(covered, key=len, reverse=True) == covered


def test_a_tree_that_was_read_back_grows_like_the_one_that_was_not() -> None:
    for size in range(LARGEST):
        tree = frontier_at(size, TREE)
        assert tree.append(LEAVES[size]) == grown(LEAVES[:size]).append(LEAVES[size])
        assert (tree.size, tree.root()) == (size + 1, NAIVE[size + 1])


def test_a_copy_grows_on_its_own() -> None:
    tree = grown(LEAVES[:5])
    tree.copy().append(LEAVES[5])
    assert (tree.size, tree.root()) == (5, NAIVE[5])


def test_a_proof_reads_a_logarithm_of_the_tree() -> None:
    asked: list[tuple[int, int]] = []

    class Counting:
        def hash_of(self, level: int, number: int) -> bytes:
            asked.append((level, number))
            return b"\x00" * 32

    size = 10**15 - 1
    inclusion_proof(123_456_789, size, Counting())
    consistency_proof(987_654_321_987, size, Counting())
    assert len(asked) < 4 * size.bit_length()


# ---- what holds of any tree


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.data())
def test_one_changed_bit_anywhere_proves_nothing(size: int, data: st.DataObject) -> None:
    tree = Leaves([leaf_hash(b"%d" % number) for number in range(size)])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path, proof = inclusion_proof(index, size, tree), consistency_proof(old, size, tree)
    roots = [root_at(old, tree), root_at(size, tree)]
    assert not leads_to(roots[1], flipped(data, tree.leaves[index]), index, size, path)
    if path:
        assert not leads_to(roots[1], tree.leaves[index], index, size, spoilt(data, path))
    if proof:
        assert not is_consistent(old, roots[0], size, roots[1], spoilt(data, proof))
    assert not is_consistent(old, flipped(data, roots[0]), size, roots[1], proof)
    assert not is_consistent(old, roots[0], size, flipped(data, roots[1]), proof)


def flipped(data: st.DataObject, hash_: bytes) -> bytes:
    bit = data.draw(st.integers(0, 255))
    return (int.from_bytes(hash_, "big") ^ 1 << bit).to_bytes(32, "big")


def spoilt(data: st.DataObject, path: list[bytes]) -> list[bytes]:
    at = data.draw(st.integers(0, len(path) - 1))
    return [*path[:at], flipped(data, path[at]), *path[at + 1 :]]


@settings(max_examples=100, deadline=None)
@given(st.integers(-3, 70), st.integers(-3, 70), st.lists(HASHES, max_size=8))
def test_a_made_up_proof_is_refused(index: int, size: int, path: list[bytes]) -> None:
    root = NAIVE[size] if 0 <= size <= LARGEST else EMPTY_ROOT
    assert not leads_to(root, b"\x01" * 32, index, size, path)
    if index not in (0, size):
        assert not is_consistent(index, b"\x02" * 32, size, root, path)


@pytest.mark.parametrize("extra", [[], [b"\x00" * 32]], ids=["too short", "too long"])
def test_a_path_of_another_length_is_refused(extra: list[bytes]) -> None:
    for size in range(2, LARGEST + 1):
        path = inclusion_proof(size - 1, size, TREE)
        proof = consistency_proof(1, size, TREE)
        changed, changed_proof = ([*path, *extra], [*proof, *extra]) if extra else (path[:-1], proof[:-1])
        with pytest.raises(BadProof):
            root_from_inclusion(LEAVES[size - 1], size - 1, size, changed)
        assert not is_consistent(1, NAIVE[1], size, NAIVE[size], changed_proof)


def test_a_tree_continues_the_empty_tree_and_itself_without_a_proof_and_with_no_other() -> None:
    assert is_consistent(0, EMPTY_ROOT, 5, NAIVE[5], [])
    assert is_consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert is_consistent(5, NAIVE[5], 5, NAIVE[5], [])
    assert not is_consistent(0, NAIVE[1], 5, NAIVE[5], [])
    assert not is_consistent(0, EMPTY_ROOT, 5, NAIVE[5], [NAIVE[1]])
    assert not is_consistent(5, NAIVE[5], 5, NAIVE[5], [NAIVE[1]])
    assert not is_consistent(5, NAIVE[5], 5, NAIVE[6], [])
    assert not is_consistent(5, NAIVE[5], 4, NAIVE[4], consistency_proof(4, 5, TREE))


@pytest.mark.parametrize(
    ("proof_of", "claimed"),
    [((1, 2), (1, 3)), ((7, 8), (6, 7)), ((11, 13), (6, 11)), ((3, 4), (7, 3)), ((5, 6), (14, 5))],
)
def test_a_proof_is_not_taken_for_sizes_at_which_it_would_end_early_or_late(
    proof_of: tuple[int, int], claimed: tuple[int, int]
) -> None:
    (old, new), path = proof_of, consistency_proof(*proof_of, TREE)
    assert not is_consistent(claimed[0], NAIVE[old], claimed[1], NAIVE[new], path)


def test_a_node_cannot_be_passed_off_as_a_leaf() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right) == NAIVE[2]
