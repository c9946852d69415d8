CREATE INDEX "meta_numbers_due" ON "meta_numbers" USING btree ("connection_id","read_at") WHERE "meta_numbers"."read_at" is not null;--> statement-breakpoint
DROP INDEX "meta_numbers_read";
