"""How long a forward pass takes, measured so that the machine's other business does not decide the answer."""
