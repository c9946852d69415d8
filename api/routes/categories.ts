/** The business categories that a number can have. */
import { BUSINESS_CATEGORIES } from '../../contract/categories.ts';
import { categoryList } from '../../contract/views.ts';
import { answers } from '../answers.ts';
import type { Routes } from '../context.ts';

const items = Object.entries(BUSINESS_CATEGORIES).map(([id, label]) => ({ id, label }));

export const categoryRoutes: Routes = async (app) => {
  app.get(
    '/v1/business-categories',
    {
      config: { access: 'public' },
      schema: {
        summary: 'List the business categories',
        description: 'What `businessCategory` of a number can be, with the words for people.',
        operationId: 'listBusinessCategories',
        tags: ['Numbers'],
        response: answers({ 200: categoryList }),
      },
    },
    async () => ({ items }),
  );
};
