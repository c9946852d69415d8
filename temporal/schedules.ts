import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { Config } from '../contract/config.ts';
import { TASK_QUEUE } from '../contract/messages.ts';
import { workingTimeOf } from '../contract/working-time.ts';

const DIGEST_SCHEDULE = 'review-digest';
const LEFTOVERS_SCHEDULE = 'email-leftovers';
export const CLOSING_SCHEDULE = 'account-closing';
const IMAGES_SCHEDULE = 'image-cleanup';

/** Temporal's names of the weekdays, by ISO weekday. */
const WEEKDAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const;

/** Creates the Schedules, or brings their times to this configuration. An operator's pause stays. */
export async function ensureSchedules(
  client: Client,
  config: Pick<Config, 'DIGEST_HOUR' | 'WORKING_TIME_ZONE' | 'WORKING_DAYS' | 'WORKING_HOURS'>,
): Promise<void> {
  const { zone, days } = workingTimeOf(config);
  // A digest that PostgreSQL's absence held up is worth having later in the day.
  await ensure(client, DIGEST_SCHEDULE, 'reviewDigest', '20 hours', {
    calendars: [
      {
        hour: config.DIGEST_HOUR,
        minute: 0,
        dayOfWeek: WEEKDAYS.filter((_, index) => days.includes(index + 1)),
      },
    ],
    timezone: zone,
  });
  await ensure(client, LEFTOVERS_SCHEDULE, 'emailLeftovers', '1 hour', {
    intervals: [{ every: '5 minutes' }],
  });
  // The numbers of a large account take hours.
  await ensure(client, CLOSING_SCHEDULE, 'accountClosing', '20 hours', {
    intervals: [{ every: '10 minutes' }],
  });
  await ensure(client, IMAGES_SCHEDULE, 'imageCleanup', '1 hour', { intervals: [{ every: '1 hour' }] });
}

type Spec = Parameters<Client['schedule']['create']>[0]['spec'];

async function ensure(
  client: Client,
  scheduleId: string,
  workflowType: string,
  longest: '1 hour' | '20 hours',
  spec: Spec,
): Promise<void> {
  const action = {
    type: 'startWorkflow' as const,
    workflowType,
    workflowId: scheduleId,
    taskQueue: TASK_QUEUE,
    workflowExecutionTimeout: longest,
  };
  // After an outage the latest missed run is enough.
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' as const };
  try {
    await client.schedule.create({ scheduleId, spec, action, policies });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule
      .getHandle(scheduleId)
      .update((previous) => ({ spec, action, policies, state: previous.state }));
  }
}
