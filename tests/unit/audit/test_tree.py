"""The tree against the recursive definition of RFC 9162 §2.1.1, for both hashes."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.audit import tree

SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 255, 256, 257]


def recursive_root(leaves, digest):
    if not leaves:
        return digest(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return digest(b"\x01" + recursive_root(leaves[:k], digest) + recursive_root(leaves[k:], digest))


def plain(algorithm):
    return lambda data: hashlib.new(algorithm, data).digest()


@pytest.mark.parametrize("algorithm", tree.ALGORITHMS)
@pytest.mark.parametrize("size", SIZES)
def test_the_root_is_the_recursive_one(size, algorithm):
    leaves = [tree.leaf_hash(str(i).encode(), algorithm) for i in range(size)]
    assert all(leaf == plain(algorithm)(b"\x00" + str(i).encode()) for i, leaf in enumerate(leaves))
    assert tree.root_of(leaves, algorithm) == recursive_root(leaves, plain(algorithm))


def test_known_roots():
    """The empty tree and the classic eight inputs of the certificate transparency test vectors."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [tree.leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert tree.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.root_of(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_sm3_is_the_standard_one():
    """GB/T 32905 appendix A: the digest of "abc"."""
    assert tree.digest_of("sm3")(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_frontier_taken_up_again_gives_the_same_root(first, more):
    leaves = [tree.leaf_hash(str(i).encode()) for i in range(first + more)]
    frontier = tree.Frontier()
    frontier.extend(leaves[:first])
    again = tree.Frontier.unpack(frontier.size, frontier.pack(), "sha256")
    again.extend(leaves[first:])
    assert again.root() == tree.root_of(leaves)
    assert len(again.roots) == again.size.bit_count()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33, 257])
def test_a_proof_holds_for_its_leaf_and_for_no_other(size):
    leaves = [tree.leaf_hash(str(i).encode()) for i in range(size)]
    root = tree.root_of(leaves)
    for index in {0, size // 2, size - 1}:
        path = tree.inclusion_proof(index, leaves)
        assert tree.verify_inclusion(leaves[index], index, size, path, root)
        assert not tree.verify_inclusion(tree.leaf_hash(b"other"), index, size, path, root)
        assert not tree.verify_inclusion(leaves[index], index, size, [*path, root], root)
        if path:
            assert not tree.verify_inclusion(leaves[index], index, size, path[:-1], root)


def test_a_frontier_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="does not belong"):
        tree.Frontier.unpack(3, b"\0" * 32, "sha256")
    with pytest.raises(ValueError, match="unknown hash"):
        tree.algorithm_named("md5")
