"""The tools, as a standalone service: one registry of typed functions, shown as REST, OpenAI schema and MCP."""
