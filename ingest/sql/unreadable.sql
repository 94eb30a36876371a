-- Why a row cannot even be read: the first branches of every judgement.
problem != '', problem,
empty(keys), multiIf(
    NOT isValidUTF8(text), 'not valid UTF-8',
    NOT isValidJSON(text), 'not readable as JSON',
    'not a JSON object with fields'
)
