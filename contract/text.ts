/** Characters that texts of people may not hold. Plain patterns: workflow code imports this file. */

/** Control characters and line breaks of all kinds. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
export const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
/** Characters that turn the direction of what follows them. */
export const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/;
