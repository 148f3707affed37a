terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Earlier versions drop restartPolicy from a container's definition without a warning.
      version = ">= 5.80"
    }
  }
}
