"""Results that must not be taken for errors: prose about errors, numbers like statuses, fields called "error"."""

ARTICLES: tuple[tuple[str, str], ...] = (
    (
        "Terror management theory",
        "Terror management theory is a theory in psychology about the fear of death.",
    ),
    ("Error bar", "Error bars are drawn on graphs to show how uncertain a measured value is."),
    (
        "The Error Bars",
        "The Error Bars were a rock band; their album Connection Refused failed to reach the charts.",
    ),
    ("HTTP 404", "The HTTP 404 message means that a server could not find what the client asked for."),
    (
        "Exception handling",
        "Exception handling reacts to an exception while a program runs, such as division by zero.",
    ),
    ("Time-out (sport)", "A time-out is a halt in the play; each team may ask for two within a half."),
    (
        "Denial-of-service attack",
        "A server under such an attack is unavailable: its requests are refused or time out.",
    ),
    ("Missing in Action", "Missing in Action is a film of 1984 about prisoners of war."),
    ("Unknown Pleasures", "Unknown Pleasures is the first album of Joy Division."),
    ("Trial and error", "Trial and error is a way of solving problems: one tries until one no longer fails."),
    (
        "Type I error",
        "A type I error rejects a hypothesis that is true; a type II error fails to reject a false one.",
    ),
    ("Syntax error", "A syntax error is a mistake in the text of a program that its parser can't read."),
    (
        "Failed state",
        "A failed state has lost control of its territory. Somalia was often named as an example.",
    ),
    ("The Comedy of Errors", "The Comedy of Errors is one of Shakespeare's early plays."),
    ("Required parameter", "In statistics a model's required parameters are estimated from data."),
    ("Bad Request", "Bad Request was a band from Leeds. Its first record came out in 1999."),
    (
        "Max retries",
        "Exponential back-off waits longer after each retry until the maximum of retries is reached.",
    ),
    (
        "Invalid carriage",
        "An invalid carriage was a small vehicle for one disabled person, issued in Britain.",
    ),
)

RESULTS: tuple[str, ...] = (
    "404", "503", "-1", "500.5", "0", "None", "null", "true", "[]", "{}", "",
    "No results found.", "0 results", "no", "'Paris'", "\"error\"", "Errol Flynn", "Terrorism", "Mirror",
    '{"status_code": 200, "error": ""}', '{"status": 200, "error": null, "data": [1, 2]}',
    '{"errors": [], "results": 20, "response": []}', '{"mean": 3.1, "error": 0.02}', '{"error": 0.5}',
    '{"title": "Error", "artist": "Madeon", "year": 2015}', '{"job": 7, "branch": "main", "status": "failed"}',
    '{"message": "success", "status": "ok"}', '{"code": 404, "street": "Main Street", "city": "Orlin"}',
    '{"message": [], "status": "success"}', '{"message": {"type": "notice", "text": "No advice was found"}}',
    '[{"status": 500, "path": "/v1", "count": 3}]', '{"timeout": 30, "retries": 3}',
    '{"success": true, "error": false, "value": "timeout"}', '{"slip": {"id": 52, "advice": "Errors teach."}}',
    '{"location": "Error Hill", "code": 12}', '{"film": "Failure to Launch", "year": 2006}',
    '{"log": ["error: disk full", "retry"], "lines": 2}', '{"type": "success", "value": {"joke": "404: joke not found"}}',
    "The error rate of the new model is 4.2 %.", "Error rates fell by 3 % in 2020.", "Errors in the census of 1890",
    "The connection between Vellmora and Orlin was closed in 1961.", "A timeout lasts 30 seconds.",
    "Failure is the mother of success.", "Missing persons: 12", "Unknown artist", "Invalids' hospital in Paris",
    "The request of the king was refused by parliament in 1642.", "Time limit: 90 minutes",
    "He failed to qualify for the final.", "Their service was rejected by the voters.",
    "Der Server antwortet nicht.", "La requête a échoué au Sénat.", "Fehlertoleranz", "SyntaxError is a class in Python.",
    "Standard error: 0.03", "Margin of error: 3 points", "Titles: Timeout; Exception; The Denied",
    "The function f is not defined at 0.", "The value of x is not unique.", "The argument of the complex number is pi/2.",
    "x must be 4 for the equation to hold.", "Connection: a song by Elastica", "Exception to the rule",
)  # fmt: skip
