/** Where the links in emails lead: pages of the API. `publicUrl` is without a slash at the end. */
export function passwordLink(publicUrl: string, token: string): string {
  return `${publicUrl}/reset-password?token=${token}`;
}

export function verificationLink(publicUrl: string, token: string): string {
  return `${publicUrl}/verify-email?token=${token}`;
}
