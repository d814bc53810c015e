"""Wire formats as sans-IO libraries: bytes in, values out. Nothing here knows a socket, a clock or a room."""
