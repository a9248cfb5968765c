"""What a database holds, as tables, figures and one page: ``python -m data_pipeline.statistics --workspace=W``."""
