"""Uppers: the platforms that we register with, and what they may see, ask and get (cascade, GB/T 28181 §9, §13)."""
