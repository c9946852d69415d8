ALTER TABLE "meta_connections" ADD COLUMN "resumed_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "meta_numbers" ADD COLUMN "pushed_image_id" text;