"""Flows about who may do what: accounts, links, passwords."""
