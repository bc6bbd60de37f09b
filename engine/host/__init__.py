"""The program that does all torch work for others, and how to talk to it."""
