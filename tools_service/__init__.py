"""The tools as a standalone service: one registry of typed functions, shown as REST, schemas and MCP."""
