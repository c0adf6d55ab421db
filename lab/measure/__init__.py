"""Measurement of latency, load time, memory and energy, and description of the machine."""
