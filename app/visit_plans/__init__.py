"""Visit plans of the office: which customers are visited how often; a job makes the planned visits."""
