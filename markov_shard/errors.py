"""The project's own exceptions.

    MarkovShardError
    ├── SettingsError            a setting has a value that is not allowed
    ├── ServiceUnavailableError  a server we depend on cannot be reached or refuses us
    │   ├── DatabaseUnavailableError
    │   ├── RedisUnavailableError
    │   └── DiscordUnavailableError
    │       └── DiscordRefusedError
    ├── SchemaError              the database's schema does not fit this code
    ├── SupersededError          a newer holder owns the shard: this process must stop writing for it
    ├── DamagedImageError        a stored chain image does not match its checksum
    ├── TrainingInputError       a training file is not what it claims to be
    └── JobError                 a job cannot be created, found or changed as asked

The chain engine is a library of its own and has its own tree, rooted in `markov_shard.chain.ChainError`.
`str()` of any of them is one clear line for an operator: what went wrong, where, and how to mend it.
"""


class MarkovShardError(Exception):
    """The root of this project's errors: str() of one is a single clear line for an operator."""


class SettingsError(MarkovShardError):
    """A setting has a value that is not allowed; names the key, the value and what is allowed."""


class ServiceUnavailableError(MarkovShardError):
    """A server we depend on cannot be reached or refuses us."""


class DatabaseUnavailableError(ServiceUnavailableError):
    """Postgres cannot be reached or refuses the connection."""


class RedisUnavailableError(ServiceUnavailableError):
    """Redis cannot be reached or refuses the connection."""


class DiscordUnavailableError(ServiceUnavailableError):
    """Discord cannot be reached."""


class DiscordRefusedError(DiscordUnavailableError):
    """Discord refuses the token or an intent: trying again cannot help."""


class SchemaError(MarkovShardError):
    """The database's schema does not fit this code: too new, or not migrated."""


class SupersededError(MarkovShardError):
    """A newer holder owns the shard: what this process wanted to write for it was refused."""


class DamagedImageError(MarkovShardError):
    """A stored chain image is incomplete or does not match its checksum."""


class TrainingInputError(MarkovShardError):
    """A training file is not what it claims to be; nothing of it was learned."""


class JobError(MarkovShardError):
    """A job cannot be created, found or changed as asked."""
