"""The Markov chain engine: tokens, counts, image, walk, score. No I/O, no asyncio, no Discord.

image = compile_chain(messages, state_size=2)
data = bytes(image)                       # store it; open_image(data) reads it where it lies
chain = Chain(open_image(data))
chain.learn("hello there"); chain.unlearn("hello there")
chain.answer(rng=random.Random(1), seed="hello").text
merge(image, added, removed)              # as compiling the remaining messages anew; `Merger` takes batches
"""

from markov_shard.chain.answer import Answer
from markov_shard.chain.chain import Chain
from markov_shard.chain.compiler import Compiler, compile_chain
from markov_shard.chain.errors import (
    ChainError,
    DamagedImageError,
    ForeignImageError,
    ImageError,
    ImageTooLargeError,
    ImageVersionError,
    MessageError,
    NotLearnedError,
    StateSizeError,
    TruncatedImageError,
)
from markov_shard.chain.image import Image, Transition, open_image
from markov_shard.chain.merge import Merger, merge
from markov_shard.chain.reference import ReferenceChain
from markov_shard.chain.text import Message, MessageLike

__all__ = [
    "Answer",
    "Chain",
    "ChainError",
    "Compiler",
    "DamagedImageError",
    "ForeignImageError",
    "Image",
    "ImageError",
    "ImageTooLargeError",
    "ImageVersionError",
    "Merger",
    "Message",
    "MessageError",
    "MessageLike",
    "NotLearnedError",
    "ReferenceChain",
    "StateSizeError",
    "Transition",
    "TruncatedImageError",
    "compile_chain",
    "merge",
    "open_image",
]
