"""Inputs and calls, a module a lesson. They run beside untrusted answers: they hold nothing that is due."""
