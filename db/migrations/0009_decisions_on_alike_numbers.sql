CREATE INDEX "numbers_name_decided" ON "numbers" USING btree (lower("display_name"),"status","decided_at") WHERE "numbers"."decided_at" is not null;--> statement-breakpoint
CREATE INDEX "numbers_website_decided" ON "numbers" USING btree ("website","status","decided_at") WHERE "numbers"."decided_at" is not null;--> statement-breakpoint
DROP INDEX "numbers_name";--> statement-breakpoint
DROP INDEX "numbers_website";