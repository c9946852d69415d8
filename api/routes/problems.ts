/** The page behind a problem's `type`: what it means and what to do. */
import { z } from 'zod';
import { PROBLEMS, type ProblemCode } from '../../contract/errors.ts';
import { about } from '../../contract/views.ts';
import { answers } from '../answers.ts';
import type { Routes } from '../context.ts';
import { ProblemError } from '../problems.ts';

const problemPage = z.object({
  code: z.string().meta(about('The `code` of a problem.', 'not_found')),
  status: z.int().meta(about('The HTTP status that it comes with.', 404)),
  title: z.string().meta(about('What it is called.', 'Not found')),
  advice: z.string().meta(about('What it means and what to do.', PROBLEMS.not_found.advice)),
});

export const problemRoutes: Routes = async (app) => {
  app.get(
    '/problems/:code',
    {
      config: { access: 'public' },
      schema: {
        summary: 'Read about a problem',
        operationId: 'describeProblem',
        description: 'HTML for people; JSON where `Accept` asks for it.',
        tags: ['Problems'],
        params: z.object({ code: z.string().max(100).meta(about('The `code` of a problem.', 'not_found')) }),
        response: answers(
          {
            200: {
              description: 'What the problem means and what to do.',
              content: {
                'application/json': { schema: problemPage },
                'text/html': { schema: z.string().describe('A page.') },
              },
            },
          } as never,
          ['not_found'],
        ),
      },
    },
    async (request, reply) => {
      const { code } = request.params;
      if (!Object.hasOwn(PROBLEMS, code)) throw new ProblemError('not_found');
      const { status, title, advice } = PROBLEMS[code as ProblemCode];
      reply.header('vary', 'accept');
      if (/\bjson\b/.test(request.headers.accept ?? '')) {
        return reply.type('application/json').send({ code, status, title, advice } as never);
      }
      // Only the table's own words are in it: nothing to escape but the backquotes' content.
      return reply
        .type('text/html; charset=utf-8')
        .serializer(String)
        .send(html(code, status, title, advice) as never);
    },
  );
};

function html(code: string, status: number, title: string, advice: string): string {
  const text = advice
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/`([^`]+)`/g, '<code>$1</code>');
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title></head>
<body>
<h1>${title}</h1>
<p>${text}</p>
<p>HTTP status ${status}, code <code>${code}</code>.</p>
</body>
</html>
`;
}
