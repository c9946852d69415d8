declare module 'email-providers' {
  /** Domains that give email addresses to anybody. */
  const domains: string[];
  export default domains;
}
