"""A real PostgreSQL and a real Valkey from wheels, under the data directory, for machines without servers.

Every command run against the same data directory shares them; the last to leave stops them. They listen on unix
sockets only. They outlive a killed parent: the next command finds them, or starts them again after their recovery.
"""

from markov_shard.embedded.services import EmbeddedUrls, embedded_services, start_services, stop_services

__all__ = ["EmbeddedUrls", "embedded_services", "start_services", "stop_services"]
