"""Models of requests and answers, for checks and for the API's description (OpenAPI)."""
