CREATE INDEX "meta_numbers_shown" ON "meta_numbers" USING btree ("connection_id",regexp_replace("last_read" #>> '{node,display_phone_number}', '[^0-9]', '', 'g'));--> statement-breakpoint
CREATE INDEX "meta_numbers_due" ON "meta_numbers" USING btree ("connection_id","read_at") WHERE "meta_numbers"."read_at" is not null;--> statement-breakpoint
DROP INDEX "meta_numbers_read";
