"""GB/T 28181 over sockets: registrar, peers, channels, invites."""
