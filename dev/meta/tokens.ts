/** Access tokens: where a call carries one, and what it opens. */
import { createHmac } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { GraphError } from './errors.ts';
import type { Parameters } from './parameters.ts';
import type { Simulation } from './simulation.ts';

/** By header, or by parameter as the Graph API takes it, too. */
export function tokenOf({ headers }: FastifyRequest, params: Parameters): string {
  return (
    /^(?:Bearer|OAuth)\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1] ??
    String(params['access_token'] ?? '')
  );
}

export function checkedToken(simulation: Simulation, token: string, params: Parameters): { wabaId: string } {
  const known = simulation.state.tokens[token];
  if (!known)
    throw new GraphError(190, { message: 'Invalid OAuth access token - Cannot parse access token' });
  if (known.state === 'expired') throw new GraphError(190, { subcode: 463 });
  if (known.state === 'permissionless') throw new GraphError(200);
  const proof = params['appsecret_proof'];
  const right = createHmac('sha256', simulation.options.appSecret).update(token).digest('hex');
  if (proof !== undefined && proof !== right)
    throw new GraphError(100, { message: 'Invalid appsecret_proof provided in the API argument' });
  return known;
}

/** Whether a token is valid and what for. Asked with the app's token, `<app id>|<app secret>`, or a valid one. */
export function debugToken(simulation: Simulation, token: string, params: Parameters): object {
  const { appId, appSecret } = simulation.options;
  if (token !== `${appId}|${appSecret}`) checkedToken(simulation, token, params);
  const known = simulation.state.tokens[String(params['input_token'] ?? '')];
  const whatsapp = ['whatsapp_business_management', 'whatsapp_business_messaging'];
  const scopes = known?.state === 'valid' ? whatsapp : [];
  const valid = known !== undefined && known.state !== 'expired';
  return {
    data: {
      app_id: appId,
      type: 'SYSTEM_USER',
      application: 'Number approval',
      expires_at: 0,
      is_valid: valid,
      ...(!valid && { error: { code: 190, subcode: 463, message: 'Error validating access token' } }),
      scopes,
      granular_scopes: scopes.map((scope) => ({ scope, target_ids: [known?.wabaId] })),
    },
  };
}
