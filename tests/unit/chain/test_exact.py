"""A chain is the counted multiset of its live messages, whatever was done to get there."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from markov_shard.chain import Chain, Compiler, ReferenceChain, compile_chain, merge, open_image
from tests.unit.chain.strategies import Said, said, same_but_sources, sizes, texts


def counted(chain):
    """The chain's transitions as a counter; each must come once and with a count above zero."""
    rows = list(chain.transitions())
    counts = Counter({(state, successor): count for state, successor, count in rows})
    assert len(counts) == len(rows)
    assert all(count > 0 for count in counts.values())
    return counts


@given(st.lists(said, max_size=40), sizes)
def test_compiling_counts(messages, state_size):
    image = compile_chain(messages, state_size)
    reference = ReferenceChain(messages, state_size)
    assert counted(Chain(image)) == counted(reference)
    assert (image.messages, image.tokens) == (reference.messages, reference.tokens)
    assert image.transitions == len(counted(reference))


@given(st.lists(said, max_size=30), sizes, st.integers(1, 7))
def test_batches_make_no_difference(messages, state_size, batch):
    compiler = Compiler(state_size)
    for start in range(0, len(messages), batch):
        part = messages[start : start + batch]
        compiler.add([message.text for message in part], [message.id for message in part])
    assert bytes(compiler.finish()) == bytes(compile_chain(messages, state_size))


@given(st.lists(said, max_size=20), st.lists(said, min_size=1, max_size=10), sizes)
def test_learn_unlearn_merge_is_as_if_never_learned(base, passing, state_size):
    image = compile_chain(base, state_size)
    chain = Chain(image)
    for message in passing:
        chain.learn(message)
    for message in passing:
        chain.unlearn(message)
    assert counted(chain) == counted(Chain(image))
    same_but_sources(merge(image, passing, passing), image)


class AnySequence(RuleBasedStateMachine):
    """Learn, unlearn, remove by index, merge, save and open, against the reference chain."""

    @initialize(state_size=sizes, base=st.lists(said, max_size=15), with_image=st.booleans())
    def begin(self, state_size, base, with_image):
        self.state_size = state_size
        self.live = list(base)
        self.base = list(base)  # those of the image that are live
        self.added, self.removed = [], []
        if with_image:
            self.chain = Chain(compile_chain(base, state_size))
        else:
            self.base = []
            self.chain = Chain.empty(state_size)
            for message in base:
                self.chain.learn(message)
        self.reference = ReferenceChain(base, state_size)

    @rule(message=said)
    def learn(self, message):
        self.chain.learn(message)
        self.reference.learn(message)
        self.live.append(message)
        self.added.append(message)

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def unlearn(self, data):
        message = data.draw(st.sampled_from(self.live))
        self.chain.unlearn(message)
        self.reference.unlearn(message)
        self.live.remove(message)
        self.removed.append(message)
        gone = message.text.split()
        alike = [kept for kept in self.base if kept.text.split() == gone]
        if alike:
            self.base.remove(message if message in alike else alike[0])

    @precondition(lambda self: self.chain.image is not None and any(message in self.live for message in self.base))
    @rule(data=st.data())
    def remove_by_index(self, data):
        message = data.draw(st.sampled_from([message for message in self.base if message in self.live]))
        self.chain.remove_transitions(self.chain.image.locate(message), message.id)
        self.reference.unlearn(message)
        self.base.remove(message)
        self.live.remove(message)
        self.removed.append(message)

    @rule(words=texts)
    def unlearn_what_may_not_be_there(self, words):
        if any(words.split() == message.text.split() for message in self.live) or not words.split():
            return
        before = counted(self.chain)
        with pytest.raises(LookupError):
            self.chain.unlearn(words)
        assert counted(self.chain) == before

    @precondition(lambda self: self.chain.image is not None)
    @rule()
    def merge_save_and_open(self):
        image = merge(self.chain.image, self.added, self.removed)
        same_but_sources(image, compile_chain(self.live, self.state_size))
        self.chain = Chain(open_image(bytes(image)))
        self.base, self.added, self.removed = list(self.live), [], []

    @precondition(lambda self: self.chain.image is None)
    @rule()
    def compile_save_and_open(self):
        self.chain = Chain(open_image(bytes(compile_chain(self.live, self.state_size))))
        self.base, self.added, self.removed = list(self.live), [], []

    @invariant()
    def equals_the_reference(self):
        assert counted(self.chain) == counted(self.reference)
        assert (self.chain.messages, self.chain.tokens) == (self.reference.messages, self.reference.tokens)

    @invariant()
    def says_nothing_that_was_learned(self):
        answer = self.chain.answer(random.Random(1), max_tries=20)
        assert bool(answer.text) != bool(answer.reason)
        assert answer.reason or answer.text.split() not in [message.text.split() for message in self.live]
        assert set(answer.sources) <= {message.id for message in self.live}


AnySequence.TestCase.settings = settings(max_examples=60, stateful_step_count=15)
TestAnySequence = AnySequence.TestCase


def test_sources_name_messages_that_hold_the_transition():
    messages = [Said(f"a{number % 7} b{number % 5} c{number % 3}", number) for number in range(200)]
    image = compile_chain(messages, 2)
    for message in messages:
        for transition in image.locate(message):
            source = messages[image.source(int(transition))]
            assert transition in image.locate(source)
