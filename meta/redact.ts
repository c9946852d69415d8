const LONGEST = 500;

/** Meta's words without what it may repeat of a call: the secrets, and of long numbers all but the last four digits. */
export function redacted(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret !== '')
    .reduce((told, secret) => told.replaceAll(secret, '…'), text)
    .replace(/\bEAA\w{8,}/g, '…')
    .replace(/\d{3,}(?=\d{4})/g, '…')
    .slice(0, LONGEST);
}
