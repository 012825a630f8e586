"""What a run would cost before it is submitted: accelerator hours, memory, disk and traffic of every task."""
