/** The result for people. */
import type { Result } from './result.ts';

export function tableOf({ checked, accepted, forwarded, cpuMs, ratios, speeds }: Result): string {
  const figures = (of: object, unit = '') =>
    Object.entries(of)
      .map(([name, figure]) => `${name} ${figure}${unit}`)
      .join(', ');
  const lines: [string, string][] = [
    ...Object.entries(accepted).map(([phase, spread]): [string, string] => [
      `accepted, ${phase}`,
      figures(spread, ' ms'),
    ]),
    ...Object.entries(forwarded).map(([phase, spread]): [string, string] => [
      `at healthy targets, ${phase}`,
      figures(spread, ' ms'),
    ]),
    ...Object.entries(cpuMs).map(([phase, cpu]): [string, string] => [
      `CPU of an event, ${phase}`,
      figures(cpu, ' ms'),
    ]),
    ...(speeds ? [['delivered', figures(speeds, '/s')] as [string, string]] : []),
    ...(ratios ? [['ratios', figures(ratios)] as [string, string]] : []),
    ['events', figures(checked)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
}
