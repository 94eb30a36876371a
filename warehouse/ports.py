"""Ports of this machine, for the local warehouse and the Dagster UI."""

import socket

from warehouse.errors import FootfallError


def require_free(port: int, purpose: str, next_step: str) -> None:
    """Raises FootfallError if nothing can listen on a port of 127.0.0.1; `purpose` is what it was wanted for."""
    with socket.socket() as probe:
        # As the servers do: a port whose last connections are still fading away is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise FootfallError(
                f"Port {port} on 127.0.0.1 cannot be used for {purpose}: {error.strerror}.", next_step
            ) from error


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
