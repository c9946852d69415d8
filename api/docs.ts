/** A page to read the OpenAPI document, served by this server alone. */
import { createHash } from 'node:crypto';
import scalar from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';

/** Serves the document at `/openapi.json` and the page at `/docs/`, from this server alone; `/` leads to the page. */
export async function serveDocs(app: FastifyInstance): Promise<void> {
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, () => app.swagger());
  // A path from here: where a proxy puts the server under a path of its own, this leads there too.
  app.get('/', { config: { access: 'public' }, schema: { hide: true } }, (_request, reply) =>
    reply.redirect('docs/'),
  );
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
    });
    docs.addHook('onSend', async (_request, reply, payload) => {
      if (typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('text/html')) {
        reply.header('content-security-policy', policyFor(payload));
      }
      return payload;
    });
    await docs.register(scalar, {
      routePrefix: '/docs',
      configuration: {
        url: '../openapi.json',
        pageTitle: 'Number approval API',
        authentication: { preferredSecurityScheme: 'apiKey' },
        // Nothing is fetched from, or told to, anybody else.
        withDefaultFonts: false,
        telemetry: false,
        hideClientButton: true,
        showDeveloperTools: 'never',
        orderSchemaPropertiesBy: 'preserve',
        agent: { disabled: true },
        mcp: { disabled: true },
      },
    });
  });
}

/** Lets the page run its own script and the inline one that starts it, and reach this server only. */
function policyFor(page: string): string {
  const inline = [...page.matchAll(/<script(?:\s+type="text\/javascript")?>([\s\S]*?)<\/script>/g)];
  const hashes = inline.map(
    ([, code = '']) => `'sha256-${createHash('sha256').update(code).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
