/** Where a request came from, for the audit log. */
import type { FastifyRequest } from 'fastify';
import type { AuditOrigin } from '../db/audit.ts';
import { callerOf } from './auth.ts';
import { USER_AGENT_MAX } from './better-auth.ts';

/** Without who asked: at a sign-in nobody is known yet. */
export function originOf(request: FastifyRequest): Omit<AuditOrigin, 'actor'> {
  return {
    ipAddress: request.ip,
    userAgent: request.headers['user-agent']?.slice(0, USER_AGENT_MAX) ?? null,
    requestId: request.id,
  };
}

/** For what the caller of a request does. */
export function auditOf(request: FastifyRequest): AuditOrigin {
  return { actor: callerOf(request).actor, ...originOf(request) };
}
