/**
 * What PostgreSQL answers, made into the objects that were selected. Drizzle's own way looks at what each field is
 * again for each row, which takes as long as sending a page of fifty numbers does; here it is looked at once.
 */
import { Column, getTableName, is, SQL } from 'drizzle-orm';

type Value = unknown;
type Decode = ((value: Value) => Value) | null;

/** Of Drizzle 0.45, for a statement that is prepared: not part of its types. */
export interface StatementInternals {
  fields?: { path: string[]; field: Column | SQL | SQL.Aliased }[];
  /** By table: whether its columns are there in each row, as those of a left join are not. */
  joinsNotNullableMap?: Record<string, boolean>;
  customResultMapper?: (rows: Value[][]) => unknown[];
}

interface Field {
  name: string;
  index: number;
  decode: Decode;
}

interface Group {
  name: string;
  fields: Field[];
  /** The place of the value whose null means that there is no such object in a row. */
  absentWithout: number | null;
}

/** Null where the statement has fields of another shape than `field` and `group.field`. */
export function rowMapper({ fields, joinsNotNullableMap: joins }: StatementInternals) {
  if (!fields || fields.some(({ path }) => path.length > 2)) return null;
  const single: Field[] = [];
  const groups = new Map<string, Group & { tables: string[] }>();
  for (const [index, { path, field }] of fields.entries()) {
    const [first = '', second] = path;
    const decode = decoderOf(field);
    if (second === undefined) {
      single.push({ name: first, index, decode });
      continue;
    }
    const group = groups.get(first) ?? { name: first, fields: [], absentWithout: null, tables: [] };
    group.fields.push({ name: second, index, decode });
    if (is(field, Column)) {
      if (group.tables.length === 0) group.absentWithout = index;
      group.tables.push(getTableName(field.table));
    }
    groups.set(first, group);
  }
  for (const group of groups.values()) {
    const [table = ''] = group.tables;
    if (!joins || joins[table] || group.tables.some((other) => other !== table)) group.absentWithout = null;
  }
  return (rows: Value[][]): unknown[] => rows.map((row) => mapRow(row, single, [...groups.values()]));
}

function mapRow(row: Value[], single: Field[], groups: Group[]): Record<string, Value> {
  const result = read(row, single);
  for (const { name, fields, absentWithout } of groups) {
    result[name] = absentWithout !== null && row[absentWithout] === null ? null : read(row, fields);
  }
  return result;
}

function read(row: Value[], fields: Field[]): Record<string, Value> {
  const result: Record<string, Value> = {};
  for (const { name, index, decode } of fields) {
    const value = row[index];
    result[name] = value === null || decode === null ? value : decode(value);
  }
  return result;
}

/** Null where a value stays as the driver gives it. */
function decoderOf(field: Column | SQL | SQL.Aliased): Decode {
  if (is(field, Column)) {
    const asItIs = field.mapFromDriverValue === Column.prototype.mapFromDriverValue;
    return asItIs ? null : (value) => field.mapFromDriverValue(value);
  }
  const { decoder } = (is(field, SQL.Aliased) ? field.sql : field) as unknown as { decoder: Column };
  return (value) => decoder.mapFromDriverValue(value);
}
