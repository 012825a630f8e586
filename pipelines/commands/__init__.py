"""The commands of `whetstone`, by what they are about; `pipelines.cli` puts them together."""
