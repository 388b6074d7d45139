"""Wire formats of the keyserver: bytes in, frozen dataclasses out, and back. No socket, no clock, no database."""
