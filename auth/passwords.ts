/** Hashes of passwords, as better-auth makes and checks them (scrypt). */
export { hashPassword, verifyPassword } from 'better-auth/crypto';
