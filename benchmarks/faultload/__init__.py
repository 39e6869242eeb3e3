"""Faults from outside: kills, damage, contention, full disks, bad runtimes, interruptions and a bad hub."""
