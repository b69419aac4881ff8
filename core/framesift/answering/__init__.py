"""Answers of a vision LLM: its session, its chats, evidence, streams and limits."""
